"""Small pieces of HTML for notebooks and for the page of a report. What they show is decided elsewhere."""
