"""What NequIP and Allegro share: training in process, weights that are plain numbers, compiled files, a calculator."""
