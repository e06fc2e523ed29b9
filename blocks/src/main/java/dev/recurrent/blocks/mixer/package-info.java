/**
 * Sequence mixers: what carries information along time in a residual block. All kinds share one
 * contract, {@link dev.recurrent.blocks.mixer.SequenceMixer}, are described by an immutable {@link
 * dev.recurrent.blocks.mixer.MixerConfig}, and keep what they remember in a {@link
 * dev.recurrent.blocks.mixer.MixerState} outside the block.
 */
package dev.recurrent.blocks.mixer;
