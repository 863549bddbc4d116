"""What is wrong with labelled images before anybody learns from them. Loads no torch, but for a contender's features.

prints      each image once: digest, perceptual hash, small copies
duplicates  equal images, and nearly equal ones, within the splits and across them
labels      wrong labels, by confident learning
tiles       small patterns that come in one class and hardly elsewhere: triggers, stamps, shortcuts
looked      all of it, and whom it suspects
"""
