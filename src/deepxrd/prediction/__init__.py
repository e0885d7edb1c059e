"""From formulas to patterns: load once, predict many times, into folders or screenings."""
