/**
 * The small blocks that mixers and models are made of: projections, norms, the gated MLP, and how
 * their weights start.
 */
package dev.recurrent.blocks.nn;
