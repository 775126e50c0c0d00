"""Collect answers: the server, the page, the store, and pages without a server."""
