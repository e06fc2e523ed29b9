package dev.recurrent.evaluation.task;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.text.Tokenizer;

/**
 * A model that is measured.
 *
 * @param model with its weights
 * @param tokenizer of the model
 * @param manager on the model's device
 */
public record Subject(LanguageModel model, Tokenizer tokenizer, NDManager manager) {}
