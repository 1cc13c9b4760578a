"""What a project in a user's own repository starts with. dvc.yaml is made of this repository's; a test says how."""
