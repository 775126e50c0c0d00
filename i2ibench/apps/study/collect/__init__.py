"""Collect answers: the server, the page, the store of answers, and pages without a server."""
