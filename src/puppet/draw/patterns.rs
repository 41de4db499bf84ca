//! Prints on garments: stripes, dots, checks, stars, hearts, bolts, letters, sashes.
