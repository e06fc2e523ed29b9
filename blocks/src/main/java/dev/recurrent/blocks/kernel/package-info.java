/**
 * The rules' and layers' kernels: CUDA C++ among this package's resources, and beside each source
 * the operator that allocates its results, chooses its constants and launches it. Operators know
 * tensors, not models. Those that train are {@link dev.recurrent.blocks.autograd.Operation}s.
 */
package dev.recurrent.blocks.kernel;
