"""Training: the LightningModule, its callbacks, and one experiment from configuration to scores."""
