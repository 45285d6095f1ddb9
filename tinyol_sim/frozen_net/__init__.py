"""A frozen net: read from .tflite, compiled to the blob that lib/frozen runs, held against TFLM."""
