/**
 * Low-rank adaptation (LoRA, arXiv 2106.09685): small matrices beside frozen projections, trained
 * and saved apart, in the files of Hugging Face's PEFT.
 */
package dev.recurrent.training.lora;
