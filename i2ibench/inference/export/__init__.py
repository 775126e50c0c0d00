"""Systems as one file for other programs: ONNX, or torch's own exported programs (.pt2)."""
