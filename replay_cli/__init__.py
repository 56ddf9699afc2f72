"""Re-send archived Twilio Segment events to MoEngage."""

__version__ = "0.1.0"
