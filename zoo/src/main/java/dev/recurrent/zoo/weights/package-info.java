/** The way of weights between upstream checkpoints and our parameters. */
package dev.recurrent.zoo.weights;
