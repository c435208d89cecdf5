"""One file a probe: what it asks and declares (`PROBE`), and how it measures (`measure`)."""
