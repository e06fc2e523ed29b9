/** The models of the papers, and small ones to begin with, as data. */
package dev.recurrent.zoo.preset;
