"""The reading room: people label responses, and the labels become tables.

`queue` says which responses are read, `labels` keeps what was said of them, `server` shows the
page, `tables` counts. The server and the tables meet in the label files alone.
"""
