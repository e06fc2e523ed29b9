/**
 * The configurations of Hugging Face directories ({@code config.json}) and our own, in both
 * directions: one {@link dev.recurrent.zoo.config.ModelFormat} an upstream {@code model_type}.
 */
package dev.recurrent.zoo.config;
