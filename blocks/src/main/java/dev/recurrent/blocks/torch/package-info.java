/**
 * What {@code NDArray} lacks: ATen operators by name through libtorch's stable C ABI, raw memory,
 * and every scalar type that libtorch knows. Nothing here knows of models.
 */
package dev.recurrent.blocks.torch;
