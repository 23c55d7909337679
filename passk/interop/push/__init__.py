"""`passk push`: a finished study in a tracker or on the hub, one module per target."""
