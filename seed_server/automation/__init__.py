"""What programs drive: the settings of a fleet as files, and webhooks that tell others what happens."""
