"""Telling people of events where they are: webhooks and MQTT."""
