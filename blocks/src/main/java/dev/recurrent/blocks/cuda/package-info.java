/**
 * What it takes to run CUDA kernels of one's own: compiled at run time, kept on disk, launched on
 * the stream that PyTorch works on, and recorded as graphs. {@link
 * dev.recurrent.blocks.cuda.Kernels} tells whether a device has them; where it has not, callers
 * take their portable form.
 */
package dev.recurrent.blocks.cuda;
