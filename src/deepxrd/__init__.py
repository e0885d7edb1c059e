"""DeepXRD: powder X-ray diffraction patterns from formulas."""

__version__ = "0.1.0"
