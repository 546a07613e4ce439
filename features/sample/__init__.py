"""The bundled sample: original passages graded by reading level."""
