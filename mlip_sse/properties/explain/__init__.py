"""What drives a model: importance by permutation, Shapley values, VIP, and how few features would do.

Every number is of materials that the model did not see, has an interval over materials and repeats of the split, and
stands beside the same number of models that were fitted to targets dealt to other materials.
"""
