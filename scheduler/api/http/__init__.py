"""What all routes share: the Flask application, bodies, errors, limits, documents."""
