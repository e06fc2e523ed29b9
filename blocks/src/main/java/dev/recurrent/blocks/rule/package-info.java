/**
 * The mathematics of the mixers as functions on {@code NDArray}s, without parameters: the delta
 * rule, the linear recurrence, the short convolution, rotary embedding and attention. All are
 * differentiable, run on CPU and CUDA tensors, and continue exactly from a state.
 *
 * <p>A rule that takes {@link dev.recurrent.blocks.rule.Positions} honours document starts inside a
 * row, and padding at the end of a row; {@link dev.recurrent.blocks.mixer.SequenceMixer} brings
 * padding that stands elsewhere there first. Outputs at padding are unspecified but finite.
 */
package dev.recurrent.blocks.rule;
