"""The interactive editor: scenes changed by hand, and a page that shows what becomes of them."""
