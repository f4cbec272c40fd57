"""Tables of numbers and words: scikit-learn, LightGBM and XGBoost, searched by Optuna."""
