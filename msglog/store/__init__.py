"""Where objects, refs and roots are kept: the Store protocol and its implementations."""
