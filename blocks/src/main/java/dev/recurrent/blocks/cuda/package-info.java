/**
 * CUDA kernels of our own: compiled at run time from the sources beside these classes, kept on
 * disk, and launched on the stream that PyTorch works on. {@link dev.recurrent.blocks.cuda.Kernels}
 * tells whether a device has them; where it has not, callers take their portable form. Nothing here
 * knows of models.
 */
package dev.recurrent.blocks.cuda;
