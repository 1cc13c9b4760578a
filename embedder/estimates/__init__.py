"""What mining would cost, teacher by teacher, before anything is encoded."""
