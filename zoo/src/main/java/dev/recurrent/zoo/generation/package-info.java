/**
 * Text from language models. {@link dev.recurrent.zoo.generation.Generator} continues prompts,
 * {@link dev.recurrent.zoo.generation.Session} is the carried state beneath it, and the translators
 * bring both to DJL's {@code Predictor} and to DJL Serving.
 */
package dev.recurrent.zoo.generation;
