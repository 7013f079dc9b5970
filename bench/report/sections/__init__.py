"""Sections: what the page says and shows for each of the reader's questions, as plain data for the templates."""
