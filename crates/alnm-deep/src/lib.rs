//! ResNet fine-tuning and deep features on a plain CPU.
