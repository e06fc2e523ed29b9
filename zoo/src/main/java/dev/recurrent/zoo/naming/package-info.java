/**
 * How upstream implementations name and arrange the weights that our blocks hold: name maps as
 * data, one class an upstream family.
 */
package dev.recurrent.zoo.naming;
