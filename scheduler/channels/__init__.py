"""The ways out: one module per channel behind the ``Channel`` protocol of base.py."""
