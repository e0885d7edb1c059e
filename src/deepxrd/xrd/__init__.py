"""From a crystal to its powder pattern, and from a pattern to its peaks."""
