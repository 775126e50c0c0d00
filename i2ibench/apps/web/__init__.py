"""Parts of a web server that the editor and the study share."""
