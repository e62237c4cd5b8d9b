"""The routes of the HTTP and websocket interface."""
