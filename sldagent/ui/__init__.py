"""The local web page on an archive: `sldagent ui`.

`server` starts it, `app` holds the routes, `guard` says who may see what, `pages` and what stands beside it gather what a
page shows, `charts` draw.  The templates, the style and the one script are in the top-level ``ui/`` folder.  Nothing here
writes: every request reads, and the archive is opened for reading only.
"""
