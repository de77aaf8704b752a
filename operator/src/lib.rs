//! weir-operator.
