"""A local page to draw on: strokes in, masks out as one draws.

:class:`vostool.page.document.Document` is what has been drawn,
:class:`vostool.page.folder.SessionFolder` keeps it on the disk,
:class:`vostool.page.worker.Worker` answers with masks in a thread of its own, and
:mod:`vostool.page.server` lets browsers take part. ``static/`` is the page itself: plain modules of
JavaScript, without a build.
"""
