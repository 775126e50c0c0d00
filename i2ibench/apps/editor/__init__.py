"""The interactive editor: change a scene by hand and see its translation in the browser."""
