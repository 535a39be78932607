"""Every table of a report, built once as a :class:`Table` for whatever renderer."""
