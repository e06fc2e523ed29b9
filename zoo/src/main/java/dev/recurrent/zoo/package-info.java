/**
 * Language models by name, by folder and by configuration: {@link dev.recurrent.zoo.Pretrained} in
 * Java, {@link dev.recurrent.zoo.RecurrentModelZoo} through DJL's Criteria.
 */
package dev.recurrent.zoo;
