package dev.recurrent.blocks.cuda;

/**
 * CUDA C++ that needs no header.
 *
 * @param name the file's name, for messages
 * @param text the source
 */
public record KernelSource(String name, String text) {}
