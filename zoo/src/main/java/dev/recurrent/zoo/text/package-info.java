/**
 * From text to token ids and back. {@link dev.recurrent.zoo.text.Tokenizers} finds the tokenizer of
 * a model's folder; {@link dev.recurrent.zoo.text.TextDecoder} turns ids into text while they come.
 */
package dev.recurrent.zoo.text;
