"""A run as a page to show to others: HTML that needs nothing but itself, or Markdown with its figures beside it.

`evidence` reads what there is to say from the archive and the table, `content` says it in blocks, `html` and `markdown`
write blocks, and `write` puts files in their place.
"""
