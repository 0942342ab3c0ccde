"""Tables, figure files, pages, animations and event files, from stored runs."""
