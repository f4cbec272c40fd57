"""Tiny random models of the image tasks."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessorPil,
    RTDetrResNetConfig,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)


def classifier(folder: Path, sample: Path) -> None:
    """A ViT of two layers that reads pictures of 16 by 16 pixels."""
    torch.manual_seed(0)
    model = ViTModel(
        ViTConfig(
            image_size=16,
            patch_size=4,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            # So small a model learns faster from larger numbers than those of ViT's authors.
            initializer_range=0.1,
        ),
        add_pooling_layer=False,
    )
    model.save_pretrained(folder)
    processor = ViTImageProcessorPil(size={"height": 16, "width": 16})
    processor.save_pretrained(folder)


def detector(folder: Path, sample: Path) -> None:
    """An RT-DETR that reads pictures of 64 by 64 pixels; of the detectors it learns fastest."""
    torch.manual_seed(0)
    pictures = RTDetrResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32, 64, 64],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    model = RTDetrForObjectDetection(
        RTDetrConfig(
            backbone_config=pictures,
            freeze_backbone_batch_norms=False,
            encoder_hidden_dim=64,
            encoder_in_channels=[32, 64, 64],
            encoder_ffn_dim=128,
            encoder_attention_heads=2,
            hidden_expansion=0.5,
            d_model=64,
            decoder_in_channels=[64, 64, 64],
            decoder_ffn_dim=128,
            decoder_layers=2,
            decoder_attention_heads=2,
            num_queries=20,
            num_denoising=20,
        )
    )
    model.save_pretrained(folder)
    processor = RTDetrImageProcessorPil(size={"height": 64, "width": 64})
    processor.save_pretrained(folder)
